"""The HTTP doors: alerts and answers in, incidents shown; 2xx means that Kafka has it."""
