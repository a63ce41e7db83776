//! Signals to stop.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Returns a future that completes at the first SIGTERM or SIGINT. A second signal ends the process. `log_first` and
/// `log_second` log them.
pub fn stop_signal(log_first: fn(), log_second: fn()) -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let first = Arc::new(Notify::new());
    let told = Arc::clone(&first);
    tokio::spawn(async move {
        for is_first in [true, false] {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            if is_first {
                log_first();
                told.notify_one();
            }
        }
        log_second();
        // An immediate exit is as safe as a crash.
        #[allow(clippy::exit)]
        std::process::exit(1);
    });
    Ok(async move { first.notified().await })
}
