"""AWS services: DynamoDB, SNS, SQS, CloudWatch."""
