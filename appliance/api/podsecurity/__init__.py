"""Pod security standards: what pods of a level may not ask for. Pure; asked by admission.

Source: k8s.io/pod-security-admission `policy`, whose words these are: people search for them.
"""
