"""The proof of fidelity: on real servers, under both strategies and in any order, no event is rejected or lost."""
