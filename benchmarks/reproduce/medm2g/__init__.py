"""MedM2G's tables on simulated patients: any to any of reports, CT, MRI and X-ray."""
