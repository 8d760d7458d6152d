"""Will a flight from New York arrive more than 15 minutes late? Real flights, weather and planes of 2013."""
