"""One package per model; what a cycle's package has to offer, so that the shared steps can run it.

`cycle.py` (standard library only)
    `CYCLE`: the `include.core.cycle.Cycle`.
`source.py` (only with a `PythonSource`)
    `tables(start, end) -> Mapping[str, Iterator[pandas.DataFrame | pyarrow.Table]]`: the raw tables of the
    interval, in chunks of bounded size, every chunk of a table with the same columns and types. Text is best
    left as text: `clean` reads types and keeps the original value of what it cannot read. Arrow tables keep
    every type; in a data frame a column of integers with a missing value has to be `Int64`.
`schema.py`
    `FACTS`: name of the table that has one row per event; the other tables are joined to it.
    `TABLES: dict[str, pandera.pandas.DataFrameSchema]`: for each table, the columns that `fetch` must find
    and the values that `clean` lets pass. Column types: `float` (what is measured or counted), `str` (also
    for ids and codes, whose digits are kept as they stand in the source), or `"datetime64[us, UTC]"`. Other
    columns are not read; one with `required=False` is missing in every row where the source lacks it. A
    check of single values is run once for each different value; a check over rows, or a function, sees the
    whole table at once, which then has to fit in memory.
`cleaning.py`
    `RULES: dict[str, include.ml.cleaning.rules.Rules]`: for each table, the columns that identify a row, the
    values to unify, which of different rows of one identity is kept, and functions for what is particular
    (`fix` before validation, `derive` after it). They take and return a data frame, or, in `OnArrow`, an
    Arrow table, which is several times as fast. Rows come in chunks: a function looks at each row alone.
    The rules of the facts must derive `event_id` (text, unique over all intervals), `event_time` (UTC, in
    the interval) and `known_time` (UTC; when the label became known, missing while it
    is open or when there will be none; 9999-12-31 is read as missing).
`features.py`
    `SIGNATURE: dict[str, str]`: columns that a client sends, in CSV order, each "number" or "string".
    `combine(columns) -> dict[str, ndarray]`: from a dict of the signature's arrays, the combined attributes.
    Called for a table in training and for a single row in serving, so it takes arrays of any length and
    missing values. `COMBINED`: names of what it adds, in order.
    `LABEL`: name of the label. `CLASSES`: its values as text; for a binary task the positive one comes last.
    Serving imports this module, so it imports neither pandas nor scikit-learn.
`joining.py`
    `build(tables) -> DataFrame`: the cleaned tables of one interval as one row per fact, with `event_id`,
    `event_time`, `known_time`, the signature's columns and the label (missing where there is none).
    `SENT: include.ml.cleaning.sent.Sent` (optional): for columns of the signature, the table and column that
    they are taken from unchanged. Their rules (unify, checks of single values, missing values of the facts)
    travel with the model: what clients send is repaired or refused as in `clean`. A column that the facts
    have under the same name needs no entry. `fix` and checks by functions of the cycle do not travel.
`estimator.py`
    `pipeline(hyperparameters) -> Pipeline`: the unfitted model, from a dict of texts.
    `SLICES`: columns of the signature by whose values quality is told apart.
    `fit(pipeline, rows, labels, validation_rows, validation_labels) -> Pipeline` (optional): fits the
    pipeline and returns it, where `pipeline.fit(rows, labels)` does not do: for early stopping or calibration
    on the validation rows. Rows are data frames of the signature's features, labels are whole numbers from 0
    on, by the order of the classes that training met. There may be no validation rows, or rows of one class.

Nothing in `include/steps` or `include/ml` names a cycle's columns.
"""
