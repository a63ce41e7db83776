# The same deployment as template.yaml, for Terraform. Labels are the template's logical ids in snake case, so that both sides
# have one name for one thing: `make terraform` compares them, resource by resource and property by property.

terraform {
  # Validations that name other variables came with 1.9.
  required_version = ">= 1.9.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}

data "aws_region" "current" {}
