//! `--preflight`: whether this kernel takes tracing programs. Asks the kernel by loading, since no file tells.

use crate::error::Failure;
use crate::kernel_check::why_refused;
use crate::load;

/// Loads the two empty programs, attaches neither.
///
/// # Errors
/// [`Failure::Environment`] when the kernel refuses.
pub(crate) fn run() -> Result<u8, Failure> {
    load::set_print(false);
    load::preflight().map(|()| 0).map_err(|e| Failure::Environment(format!("{e}{}", why_refused())))
}
