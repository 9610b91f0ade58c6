//! What printed documents have in common.

use lobby_dashboards::Sheet;

use super::Scene;
use crate::http::address::Origin;

impl Origin {
    /// What surrounds a document that is reached from `back`.
    pub(super) fn sheet(&self, scene: &Scene<'_>, back: String) -> Sheet {
        let reader = scene.reader;
        Sheet {
            lang: reader.lang,
            calendar: scene.calendar().clone(),
            path: reader.path.clone(),
            back,
            base: self.base.clone(),
            only_here: self.only_here,
        }
    }
}
