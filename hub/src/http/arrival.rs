//! Whether a code that somebody scanned stands on the label of the device that a ticket is about.

use lobby_domain::alert::Subject;

use super::App;
use crate::store::StoreError;

/// Whether `code` is that of a label of the ticket's device; not if there is no such ticket, or it is about no device.
pub(super) async fn is_label_of(app: &App, number: &str, code: &str) -> Result<bool, StoreError> {
    let Some((site, device)) = app.store.device_by_code(code).await? else { return Ok(false) };
    let ticket = app.store.ticket(number).await?;
    Ok(ticket.is_some_and(|(row, _)| row.site == site && row.subject == Subject::Device(device)))
}
