//! A queue in this process, for several workers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loadgate::deciding::QueueError;
use loadgate::domain::{JobMessage, JobTask};
use loadgate::limits::jobs::JobQueue;

#[derive(Default)]
struct Messages {
    waiting: VecDeque<JobMessage>,
    in_progress: usize,
}

/// The queue. Clones share it. It drops the message that looks for the job's end: that is done once, at the end.
#[derive(Clone, Default)]
pub(crate) struct BenchQueue(Arc<Mutex<Messages>>);

impl BenchQueue {
    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next message. `None` once nothing is left and nobody works on a message.
    pub(crate) async fn next(&self) -> Option<JobMessage> {
        loop {
            {
                let mut messages = self.messages();
                if let Some(message) = messages.waiting.pop_front() {
                    messages.in_progress += 1;
                    return Some(message);
                }
                if messages.in_progress == 0 {
                    return None;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Notes that a message is done.
    pub(crate) fn done(&self) {
        self.messages().in_progress -= 1;
    }
}

impl JobQueue for BenchQueue {
    async fn send(&self, messages: &[JobMessage], _delay: Duration) -> Result<(), QueueError> {
        let kept = messages.iter().filter(|message| message.task != JobTask::Finish);
        self.messages().waiting.extend(kept.cloned());
        Ok(())
    }
}
