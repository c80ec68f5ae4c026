"""What a person does with a cluster's store: look, bring back, copy, put back."""
