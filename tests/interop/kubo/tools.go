//go:build tools

// Package tools pins the Kubo that the tests run against; nothing here is compiled.
package tools

import _ "github.com/ipfs/kubo/cmd/ipfs"
