//! The real programs over local versions of the AWS services, and the deployment.

mod alarms;
mod api_function;
mod assign_function;
mod assign_kills;
mod compose;
mod configuration;
mod end_to_end;
mod isolation;
mod kills;
mod lambda;
mod limits_function;
mod limits_kills;
mod local_stack;
mod new_user;
mod template;
mod terraform;
mod throughput;
