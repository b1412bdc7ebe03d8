//! The secret that changes over TCP need.

use std::fmt;

use hyper::header::{AUTHORIZATION, HeaderMap};

/// The least octets of a token: as many random letters cannot be guessed over a network.
pub const MIN_TOKEN_OCTETS: usize = 16;

/// A bearer token (RFC 6750). Its octets are shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<[u8]>);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadToken;

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its first line is no token: write {MIN_TOKEN_OCTETS} letters and digits at least"
        )
    }
}

impl std::error::Error for BadToken {}

impl Token {
    /// Reads the first line of a file.
    ///
    /// # Errors
    ///
    /// [`BadToken`], if it is too short, or has what a header field cannot send.
    pub fn of_file(text: &[u8]) -> Result<Self, BadToken> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let line = text.split(|&octet| octet == b'\n').next();
        let token = line.unwrap_or_default().trim_ascii();
        let is_good = token.len() >= MIN_TOKEN_OCTETS && token.iter().all(u8::is_ascii_graphic);
        is_good.then(|| Self(token.into())).ok_or(BadToken)
    }

    /// Compares without telling by its time where two differ.
    fn is(&self, other: &[u8]) -> bool {
        let differences = self.0.iter().zip(other).map(|(ours, theirs)| ours ^ theirs);
        let differ = differences.fold(0, |all, difference| all | difference);
        self.0.len() == other.len() && std::hint::black_box(differ) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What a request has to show for its right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// It shows nothing.
    None,
    /// It has a token that is not ours.
    Wrong,
    /// It has ours.
    Right,
}

impl Credential {
    pub(crate) fn of(headers: &HeaderMap, token: Option<&Token>) -> Self {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return if headers.contains_key(AUTHORIZATION) {
                Self::Wrong
            } else {
                Self::None
            };
        };
        let octets = field.as_bytes();
        let shown = match octets.split_at_checked(7) {
            Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"bearer ") => shown,
            _ => return Self::Wrong,
        };
        match token {
            Some(token) if token.is(shown.trim_ascii()) => Self::Right,
            _ => Self::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_first_line() {
        let token = Token::of_file(b"\xef\xbb\xbf 0123456789abcdef \r\nnot this").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [
            &b"0123456789abcdeF"[..],
            b"0123456789abcde",
            b"",
            b"0123456789abcdef0",
        ] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "Token");
        for bad in [
            &b""[..],
            b"short",
            b"0123456789 abcdef",
            b"\n0123456789abcdef",
        ] {
            assert_eq!(Token::of_file(bad), Err(BadToken), "{bad:?}");
        }
    }

    #[test]
    fn a_request_shows_one_token() {
        let token = Token::of_file(b"0123456789abcdef").unwrap();
        let credential = |fields: &[&str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, field.parse().unwrap());
            }
            Credential::of(&headers, Some(&token))
        };
        assert_eq!(credential(&[]), Credential::None);
        for right in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef"] {
            assert_eq!(credential(&[right]), Credential::Right, "{right}");
        }
        for wrong in [
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcdee",
            "Bearer",
            "Bearer ",
            "0123456789abcdef",
        ] {
            assert_eq!(credential(&[wrong]), Credential::Wrong, "{wrong}");
        }
        let twice = ["Bearer 0123456789abcdef"; 2];
        assert_eq!(credential(&twice), Credential::Wrong);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer 0123456789abcdef".parse().unwrap());
        assert_eq!(Credential::of(&headers, None), Credential::Wrong);
    }
}
