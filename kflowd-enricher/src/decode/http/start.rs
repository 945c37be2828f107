//! The first line of a message (RFC 9112 sections 3 and 4).

use super::HttpError;

/// A first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// Of a request.
    Request {
        /// What to do.
        method: &'a [u8],
        /// To what.
        target: &'a [u8],
        /// `HTTP/1.x`.
        version: &'a [u8],
    },
    /// Of a response.
    Response {
        /// `HTTP/1.x`.
        version: &'a [u8],
        /// Result.
        status: u16,
        /// Result in words, maybe none.
        reason: &'a [u8],
    },
}

/// Bytes that names and methods consist of (RFC 9110 section 5.6.2).
pub(super) const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        token[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < marks.len() {
        token[marks[i] as usize] = true;
        i += 1;
    }
    token
};

impl<'a> Start<'a> {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// [`HttpError::Http2`] and [`HttpError::Version`] for other versions in the right form, else
    /// [`HttpError::StartLine`].
    #[inline]
    pub fn parse(line: &'a [u8]) -> Result<Self, HttpError> {
        if line.starts_with(b"HTTP/") { Self::response(line) } else { Self::request(line) }
    }

    fn response(line: &'a [u8]) -> Result<Self, HttpError> {
        let (version, rest) = line.split_at_checked(8).ok_or(HttpError::StartLine)?;
        check_version(version)?;
        let &[b' ', a, b, c, ref rest @ ..] = rest else { return Err(HttpError::StartLine) };
        let reason = match rest {
            [] => rest,
            [b' ', reason @ ..] => reason,
            _ => return Err(HttpError::StartLine),
        };
        if ![a, b, c].iter().all(u8::is_ascii_digit) {
            return Err(HttpError::StartLine);
        }
        let digit = |byte: u8| u16::from(byte - b'0');
        Ok(Self::Response { version, status: digit(a) * 100 + digit(b) * 10 + digit(c), reason })
    }

    fn request(line: &'a [u8]) -> Result<Self, HttpError> {
        if line == b"PRI * HTTP/2.0" {
            return Err(HttpError::Http2);
        }
        let method = line.iter().position(|&byte| !TOKEN[usize::from(byte)]).ok_or(HttpError::StartLine)?;
        let (method, rest) = line.split_at(method);
        let rest = rest.strip_prefix(b" ").ok_or(HttpError::StartLine)?;
        // Blanks within the target are wrong but common; the version is what stands last.
        let at = rest.len().checked_sub(9).ok_or(HttpError::StartLine)?;
        let (target, version) = rest.split_at(at);
        let version = version.strip_prefix(b" ").ok_or(HttpError::StartLine)?;
        check_version(version)?;
        if method.is_empty() || target.is_empty() {
            return Err(HttpError::StartLine);
        }
        Ok(Self::Request { method, target, version })
    }
}

fn check_version(version: &[u8]) -> Result<(), HttpError> {
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            if *major == b'1' {
                Ok(())
            } else {
                Err(HttpError::Version)
            }
        }
        _ => Err(HttpError::StartLine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let request = |method, target| Ok(Start::Request { method, target, version: b"HTTP/1.1" });
        assert_eq!(Start::parse(b"GET / HTTP/1.1"), request(b"GET", b"/"));
        assert_eq!(Start::parse(b"M-SEARCH * HTTP/1.1"), request(b"M-SEARCH", b"*"));
        assert_eq!(Start::parse(b"GET /a b HTTP/1.1"), request(b"GET", b"/a b"));
        let response = |status, reason| Ok(Start::Response { version: b"HTTP/1.0", status, reason });
        assert_eq!(Start::parse(b"HTTP/1.0 200 All right"), response(200, b"All right"));
        assert_eq!(Start::parse(b"HTTP/1.0 404"), response(404, b""));
        assert_eq!(Start::parse(b"HTTP/1.0 404 "), response(404, b""));
    }

    #[test]
    fn what_is_none() {
        for line in [
            &b""[..],
            b"GET",
            b"GET /",
            b"GET / HTTP/1",
            b"GET  HTTP/1.1",
            b" / HTTP/1.1",
            b"G(T / HTTP/1.1",
            b"HTTP/1.1",
            b"HTTP/1.1 20",
            b"HTTP/1.1 2x0 OK",
            b"HTTP/1.1 200OK",
            b"GET / HTTP/x.1",
            b"\x16\x03\x01",
        ] {
            assert_eq!(Start::parse(line), Err(HttpError::StartLine), "{line:?}");
        }
        assert_eq!(Start::parse(b"PRI * HTTP/2.0"), Err(HttpError::Http2));
        assert_eq!(Start::parse(b"HTTP/3.0 200 OK"), Err(HttpError::Version));
    }
}
