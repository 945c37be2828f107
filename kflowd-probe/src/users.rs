//! Which users the processes become. Reads /etc/passwd and /etc/group itself: no NSS, so no foreign code as root.

use crate::error::Failure;

/// Highest id that is tried for the probe: above lie the dynamic users of systemd's containers and nobody.
const HIGHEST_FREE: u32 = 65_519;
/// The kernel's overflow id: nobody, also where no passwd file says so.
const OVERFLOW: u32 = 65_534;

/// A user a process becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// User id, never 0.
    pub(crate) uid: u32,
    /// Its primary group; all others are dropped.
    pub(crate) gid: u32,
}

/// The users of the two sides. They differ, so that neither can trace or signal the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Users {
    /// User of enricher and front.
    pub(crate) enricher: User,
    /// User of the probe, after it has attached.
    pub(crate) probe: User,
}

/// Chooses both users from this host's files; a missing file is an empty one.
///
/// # Errors
/// [`Failure::Usage`] when `--user` names nobody known, or root.
pub(crate) fn choose(wanted: Option<&str>) -> Result<Users, Failure> {
    let read =
        |path| std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    from_text(wanted, &read("/etc/passwd"), &read("/etc/group"))
}

fn from_text(wanted: Option<&str>, passwd: &str, group: &str) -> Result<Users, Failure> {
    let enricher = match wanted {
        Some(name) => lookup(passwd, name).filter(not_root).ok_or_else(|| {
            let why = if lookup(passwd, name).is_some() { "root" } else { "not in /etc/passwd" };
            Failure::Usage(format!(
                "option --user: {name:?} is not accepted ({why}); accepted: a user of /etc/passwd other than root"
            ))
        })?,
        None => ["kflowd", "nobody"]
            .iter()
            .find_map(|name| lookup(passwd, name).filter(not_root))
            .unwrap_or(User { uid: OVERFLOW, gid: OVERFLOW }),
    };
    let own = lookup(passwd, "kflowd-probe").filter(not_root).filter(|user| user.uid != enricher.uid);
    let probe = own.unwrap_or_else(|| free(passwd, group, enricher));
    Ok(Users { enricher, probe })
}

fn not_root(user: &User) -> bool {
    user.uid != 0 && user.uid != u32::MAX && user.gid != u32::MAX
}

/// First line of that name, as getpwnam(3) takes it.
fn lookup(passwd: &str, name: &str) -> Option<User> {
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|f| f[0] == name)
        .and_then(|f| Some(User { uid: f.get(2)?.parse().ok()?, gid: f.get(3)?.parse().ok()? }))
}

/// The highest id that neither file names as user or group.
fn free(passwd: &str, group: &str, enricher: User) -> User {
    let ids = |text: &str| -> Vec<u32> {
        text.lines()
            .flat_map(|l| l.split(':').skip(2).take(2).filter_map(|f| f.parse().ok()).collect::<Vec<_>>())
            .collect()
    };
    let taken = [ids(passwd), ids(group), vec![enricher.uid, enricher.gid]].concat();
    let id = (1..=HIGHEST_FREE).rev().find(|id| !taken.contains(id)).unwrap_or(HIGHEST_FREE);
    User { uid: id, gid: id }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nweb:x:33:34::/:\n\
                          toor:x:0:0:::\nbroken:x:abc:1::\nlast:x:65519:65519::/:\n+\n\nkflowd:x:900:901::/:\n";

    fn user(uid: u32, gid: u32) -> User {
        User { uid, gid }
    }

    #[test]
    fn chooses_the_enrichers_user() {
        let of = |wanted, passwd| from_text(wanted, passwd, "").map(|u| u.enricher);
        assert_eq!(of(None, PASSWD), Ok(user(900, 901)));
        assert_eq!(of(None, "nobody:x:99:98:::\n"), Ok(user(99, 98)));
        assert_eq!(of(None, "kflowd:x:0:0:::\nnobody:x:99:98:::\n"), Ok(user(99, 98)));
        assert_eq!(of(None, ""), Ok(user(65534, 65534)));
        assert_eq!(of(Some("web"), PASSWD), Ok(user(33, 34)));
    }

    #[test]
    fn refuses_root_and_strangers() {
        for (name, why) in
            [("root", "root"), ("toor", "root"), ("nope", "not in"), ("broken", "not in"), ("+", "not in")]
        {
            let Err(Failure::Usage(text)) = from_text(Some(name), PASSWD, "") else {
                panic!("{name}: accepted")
            };
            assert!(text.contains(why) && text.contains("--user") && text.contains(name), "{text}");
        }
    }

    #[test]
    fn probe_has_a_user_of_its_own() {
        let of = |wanted, passwd, group| from_text(wanted, passwd, group).unwrap().probe;
        assert_eq!(of(None, PASSWD, ""), user(65518, 65518));
        assert_eq!(of(None, PASSWD, "x:x:65518:\n"), user(65517, 65517));
        let own = format!("{PASSWD}kflowd-probe:x:950:951:::\n");
        assert_eq!(of(None, &own, ""), user(950, 951));
        assert_eq!(of(Some("kflowd-probe"), &own, ""), user(65518, 65518));
    }
}
