# The role that the CloudTrail loader assumes in this account, to look up events and to list the regions.
# Apply it once in each account, with the provider's credentials for that account.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "worker_role_arn" {
  description = "The ARN of the role that the Airflow worker has. It must exist."
  type        = string
}

variable "external_id" {
  description = "The external id that the worker sends. Leave it empty for none."
  type        = string
  default     = ""
}

variable "role_name" {
  description = "The name of the role, the same in every account."
  type        = string
  default     = "cloudtrail-reader"
}

variable "role_path" {
  description = "The path of the role, with a slash at both ends."
  type        = string
  default     = "/"
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LetTheWorkerAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.worker_role_arn]
    }

    dynamic "condition" {
      for_each = var.external_id == "" ? [] : [var.external_id]

      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "permissions" {
  statement {
    sid       = "LookUpEvents"
    actions   = ["cloudtrail:LookupEvents"]
    resources = ["*"]
  }

  statement {
    sid       = "FindEnabledRegions"
    actions   = ["ec2:DescribeRegions"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "reader" {
  name               = var.role_name
  path               = var.role_path
  description        = "Lets the CloudTrail loader look up this account's events."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "look_up_events" {
  name   = "look-up-events"
  role   = aws_iam_role.reader.name
  policy = data.aws_iam_policy_document.permissions.json
}

output "role_arn" {
  description = "The ARN of the role."
  value       = aws_iam_role.reader.arn
}
