"""What a layer is as an input: whose file, how it lies in the patient."""
