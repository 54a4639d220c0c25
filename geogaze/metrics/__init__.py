"""What operators watch: figures of the ledger, one file each."""
