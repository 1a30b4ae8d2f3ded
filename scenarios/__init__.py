"""What happens: scenario families with texts, worlds, agents and outcomes. No torch, no steering."""
