"""What is particular to Denmark: its municipalities, landsdele and regions."""
