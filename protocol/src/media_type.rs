//! Types of result files, as server and page must agree on them.

/// With the names that some servers give them beside the registered ones. SVG is none of them: it may hold scripts.
const RASTER_IMAGES: [&str; 11] = [
    "image/png",
    "image/apng",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "image/x-ms-bmp",
    "image/x-icon",
    "image/vnd.microsoft.icon",
];

/// A content type without its parameters.
pub fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a browser shows it as a picture and as nothing else: such a file is sent to be looked at, others to be kept.
pub fn is_raster_image(content_type: &str) -> bool {
    RASTER_IMAGES.iter().any(|image| essence(content_type).eq_ignore_ascii_case(image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_however_they_are_written() {
        for shown in ["image/png", "Image/AVIF", "image/bmp; q=1", " image/jpeg "] {
            assert!(is_raster_image(shown), "{shown}");
        }
        for other in ["image/svg+xml", "image/tiff", "image/pngx", "text/html", ""] {
            assert!(!is_raster_image(other), "{other}");
        }
    }
}
