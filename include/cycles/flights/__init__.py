"""Will this flight leave New York and arrive more than 15 minutes late? Real flights, weather and aircraft of 2013."""
