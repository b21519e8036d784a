//! Which compressed form of an answer a client takes: `Accept-Encoding` with its weights (RFC 9110, 12.5.3).
//! A weight of 0 is a no; `*` speaks for all that are not named.

use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};

/// A form in which an answer can be sent, the smallest first: of two that are equally welcome, the earlier one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    /// The word for `Content-Encoding`; none where nothing is encoded.
    pub fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Brotli => Some(HeaderValue::from_static("br")),
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Identity => None,
        }
    }
}

/// The most welcome of the forms that there are; as it is where none of them is.
pub fn choose(request: &HeaderMap, there_are: &[Coding]) -> Coding {
    let welcome = Welcome::of(request);
    let mut best = (0, Coding::Identity);
    for coding in there_are {
        let weight = welcome.weight(*coding);
        if weight > best.0 {
            best = (weight, *coding);
        }
    }
    best.1
}

/// Weights in thousandths; `None`: not named.
#[derive(Default)]
struct Welcome {
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

impl Welcome {
    fn of(request: &HeaderMap) -> Self {
        let mut welcome = Self::default();
        let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for entry in values.flat_map(|value| value.split(',')) {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = weight(parameters);
            let name = name.trim();
            let place = match () {
                () if name.eq_ignore_ascii_case("br") => &mut welcome.brotli,
                () if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => &mut welcome.gzip,
                () if name.eq_ignore_ascii_case("identity") => &mut welcome.identity,
                () if name == "*" => &mut welcome.others,
                () => continue,
            };
            *place = Some(weight);
        }
        welcome
    }

    fn weight(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Brotli => self.brotli.or(self.others).unwrap_or(0),
            Coding::Gzip => self.gzip.or(self.others).unwrap_or(0),
            // Taken by everybody who does not refuse it, but less gladly than anything that is named.
            Coding::Identity => self.identity.unwrap_or_else(|| self.others.map_or(1, |weight| weight.min(1))),
        }
    }
}

/// `q=0.5` as 500. What can't be read counts as nothing, so that nobody gets what they may not understand.
fn weight(parameters: &str) -> u16 {
    let mut parameters = parameters.split(';').map(str::trim).filter(|parameter| !parameter.is_empty());
    let Some(value) = parameters.find_map(|it| it.strip_prefix("q=").or_else(|| it.strip_prefix("Q="))) else {
        return 1_000;
    };
    let weight = value.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1,000")]
    let thousandths = (weight * 1_000.0).round() as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::Coding::{Brotli, Gzip, Identity};
    use super::*;

    #[test]
    fn the_most_welcome_form_goes_and_a_weight_of_nothing_is_a_no() {
        let all = [Brotli, Gzip, Identity];
        for (accepted, chosen) in [
            ("gzip, deflate, br, zstd", Brotli),
            ("br;q=1.0", Brotli),
            ("BR", Brotli),
            ("br;q=0, gzip", Gzip),
            ("br; q=0.5, gzip;q=0.8", Gzip),
            ("br;q=0.001, gzip;q=0", Brotli),
            ("*", Brotli),
            ("*;q=0", Identity),
            ("br;q=0, *", Gzip),
            ("br;q=0.0, gzip;q=0.000", Identity),
            ("identity", Identity),
            ("identity;q=0.5, gzip;q=0.4", Identity),
            ("identity;q=0, gzip;q=0.4", Gzip),
            ("deflate, zstd", Identity),
            ("br;q=2, gzip;q=x", Identity),
            ("", Identity),
        ] {
            let request = HeaderMap::from_iter([(ACCEPT_ENCODING, accepted.parse().unwrap())]);
            assert_eq!(choose(&request, &all), chosen, "{accepted}");
        }
        assert_eq!(choose(&HeaderMap::new(), &all), Identity);
    }

    #[test]
    fn what_there_is_not_is_not_chosen() {
        let request = HeaderMap::from_iter([(ACCEPT_ENCODING, "br, gzip;q=0.5".parse().unwrap())]);
        assert_eq!(choose(&request, &[Gzip, Identity]), Gzip);
        assert_eq!(choose(&request, &[Identity]), Identity);
    }
}
