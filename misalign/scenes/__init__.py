"""Pictures of the two image worlds (sections 5.2 and 5.3), rendered in plain torch."""
