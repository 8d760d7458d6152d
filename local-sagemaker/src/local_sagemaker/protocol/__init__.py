"""Reading and writing AWS requests and answers from botocore's service models; knows no operation."""
