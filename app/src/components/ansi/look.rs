//! How a piece of a log looks: what the parameters of `ESC [ … m` set, as classes and, for any other colour than the
//! sixteen that the style sheet knows, as a style.

/// One of the sixteen that the style sheet knows, or any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Named(u8),
    Exact(u8, u8, u8),
}

/// How a piece of text looks.
#[allow(clippy::struct_excessive_bools)] // terminals switch each by itself
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    foreground: Option<Colour>,
    background: Option<Colour>,
    is_bold: bool,
    is_faint: bool,
    is_italic: bool,
    is_underlined: bool,
    is_reversed: bool,
}

impl Look {
    pub(super) fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split(';');
        while let Some(code) = codes.next() {
            // `38:5:9` is one parameter with parts; `38;5;9` says the same in three.
            let (code, parts) = code.split_once(':').map_or((code, None), |(code, parts)| (code, Some(parts)));
            match code.parse::<u16>().unwrap_or(0) {
                0 => *self = Self::default(),
                1 => self.is_bold = true,
                2 => self.is_faint = true,
                3 => self.is_italic = true,
                4 => self.is_underlined = parts != Some("0"),
                7 => self.is_reversed = true,
                22 => (self.is_bold, self.is_faint) = (false, false),
                23 => self.is_italic = false,
                24 => self.is_underlined = false,
                27 => self.is_reversed = false,
                code @ 30..=37 => self.foreground = Some(Colour::named(code - 30)),
                38 => self.foreground = extended(parts, &mut codes),
                39 => self.foreground = None,
                code @ 40..=47 => self.background = Some(Colour::named(code - 40)),
                48 => self.background = extended(parts, &mut codes),
                49 => self.background = None,
                // Of the underline, which has the text's here.
                58 => drop(extended(parts, &mut codes)),
                code @ 90..=97 => self.foreground = Some(Colour::named(code - 90 + 8)),
                code @ 100..=107 => self.background = Some(Colour::named(code - 100 + 8)),
                _ => {}
            }
        }
    }

    pub(super) fn class(self) -> String {
        let of = |part: &str, colour: Colour| match colour {
            Colour::Named(number) => format!("{part}-{number}"),
            Colour::Exact(..) => format!("{part}-rgb"),
        };
        let flags = [
            (self.is_bold, "is-bold"),
            (self.is_faint, "is-faint"),
            (self.is_italic, "is-italic"),
            (self.is_underlined, "is-underlined"),
            (self.is_reversed, "is-reversed"),
        ];
        let colours = [self.foreground.map(|colour| of("fg", colour)), self.background.map(|colour| of("bg", colour))];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned());
        colours.into_iter().flatten().chain(flags).collect::<Vec<_>>().join(" ")
    }

    /// Of colours that no class has.
    pub(super) fn style(self) -> Option<String> {
        let exact = |name: &str, colour: Option<Colour>| match colour? {
            Colour::Named(_) => None,
            Colour::Exact(red, green, blue) => Some(format!("--{name}:#{red:02x}{green:02x}{blue:02x}")),
        };
        let set = [exact("fg", self.foreground), exact("bg", self.background)];
        let set: Vec<String> = set.into_iter().flatten().collect();
        (!set.is_empty()).then(|| set.join(";"))
    }
}

impl Colour {
    #[allow(clippy::cast_possible_truncation)] // below 16
    const fn named(number: u16) -> Self {
        Self::Named(number as u8)
    }

    /// Of the palette of 256: the sixteen, a cube of six steps each, greys.
    const fn of_palette(number: u8) -> Self {
        match number {
            0..16 => Self::Named(number),
            16..232 => {
                let cube = number - 16;
                Self::Exact(step(cube / 36), step(cube / 6 % 6), step(cube % 6))
            }
            232.. => {
                let level = (number - 232) * 10 + 8;
                Self::Exact(level, level, level)
            }
        }
    }
}

const fn step(step: u8) -> u8 {
    if step == 0 { 0 } else { 55 + step * 40 }
}

/// The rest of `38;5;n`, `38;2;r;g;b`, `38:5:n`, `38:2:r:g:b` or, with a colour space, `38:2::r:g:b`.
fn extended<'a>(parts: Option<&'a str>, codes: &mut impl Iterator<Item = &'a str>) -> Option<Colour> {
    let number = |text: Option<&str>| text?.parse::<u8>().ok();
    match parts {
        Some(parts) => {
            let parts: Vec<&str> = parts.split(':').collect();
            match (parts.first().copied()?, parts.len()) {
                ("5", 2..) => Some(Colour::of_palette(number(parts.get(1).copied())?)),
                ("2", count @ 4..) => {
                    let first = if count > 4 { 2 } else { 1 };
                    let at = |place: usize| number(parts.get(first + place).copied());
                    Some(Colour::Exact(at(0)?, at(1)?, at(2)?))
                }
                _ => None,
            }
        }
        None => match codes.next()? {
            "5" => Some(Colour::of_palette(number(codes.next())?)),
            "2" => Some(Colour::Exact(number(codes.next())?, number(codes.next())?, number(codes.next())?)),
            _ => None,
        },
    }
}
