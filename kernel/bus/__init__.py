"""The bus: topics, the consumer loop, the producer and the relay over Kafka's protocol."""
