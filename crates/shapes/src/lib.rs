//! Operations, inputs, outputs and exceptions, generated from the facts of the AWS models.
