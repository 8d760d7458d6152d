// Looks at every text that is shown: the contrast of its colour with what is behind it, by WCAG 2's formula.
() => {
  const numbers = (colour) => {
    const found = colour.match(/[\d.]+/g).map(Number);
    return [...found.slice(0, 3), found[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((n) => top[n] * top[3] + under[n] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor);
      layers.unshift(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (colour) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, n) => {
      const part = colour[n] / 255;
      return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }, 0);
  const contrast = (element) => {
    const ground = behind(element);
    const [one, other] = [light(ground), light(over(numbers(getComputedStyle(element).color), ground))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  };
  const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && !element.closest("button:disabled, svg, canvas, .skip");
  const bad = [];
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !isShown(element)) continue;
    texts += 1;
    const { fontSize, fontWeight } = getComputedStyle(element);
    const size = parseFloat(fontSize);
    const needed = size >= 24 || (size >= 18.66 && fontWeight >= 700) ? 3 : 4.5;
    const found = contrast(element);
    if (found < needed) bad.push(`${element.textContent.trim().slice(0, 40)}: ${found.toFixed(2)} < ${needed}`);
  }
  return { bad, texts };
};
