"""The proof of fidelity: real servers, either strategy, any order, and nothing is rejected, lost or hidden."""
