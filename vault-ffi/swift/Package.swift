// swift-tools-version: 5.9
// MedVault for Swift. Two parts are made, not kept here: `Sources/MedVault/MedVault.swift` and the
// native library. `./build-xcframework` makes both on a Mac; `./check` lays out the first and a header
// for the other, enough for the compiler and, with a library for this machine, for the tests.

import PackageDescription

#if os(macOS)
let native: Target = .binaryTarget(name: "MedVaultFFI", path: "MedVaultFFI.xcframework")
#else
let native: Target = .systemLibrary(name: "MedVaultFFI", path: "Sources/MedVaultFFI")
#endif

let package = Package(
    name: "MedVault",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "MedVault", targets: ["MedVault"]),
        .library(name: "MedVaultApple", targets: ["MedVaultApple"]),
    ],
    targets: [
        native,
        .target(
            name: "MedVault",
            dependencies: ["MedVaultFFI"],
            linkerSettings: [
                // what the network code of the static library calls
                .linkedFramework("CoreFoundation", .when(platforms: [.iOS, .macOS])),
                .linkedFramework("Network", .when(platforms: [.iOS, .macOS])),
                .linkedFramework("Security", .when(platforms: [.iOS, .macOS])),
                .linkedFramework("SystemConfiguration", .when(platforms: [.iOS, .macOS])),
            ]
        ),
        // the Keychain, background refresh, the folder, the network policy
        .target(name: "MedVaultApple", dependencies: ["MedVault"]),
        .testTarget(name: "MedVaultTests", dependencies: ["MedVault"]),
    ]
)
