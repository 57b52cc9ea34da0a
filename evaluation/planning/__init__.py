"""Looking ahead: which effects a comparison could find that has not been made yet."""
