"""What people do with a store: look into its past, bring back, copy, put back."""
