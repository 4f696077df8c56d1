import Foundation

/// The bytes in base64 (RFC 4648 section 4).
func base64(_ bytes: some Sequence<UInt8>) -> String { Data(bytes).base64EncodedString() }
