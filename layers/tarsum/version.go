package tarsum

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Version is how a tarsum is computed.
type Version string

// The versions of Docker's specification.
const (
	// Version0 counts modification times, and no extended attributes.
	Version0 Version = "tarsum"
	// Version1 counts extended attributes, and no times.
	Version1 Version = "tarsum.v1"
	// VersionDev was the next version. It stayed Version1 under another name.
	VersionDev Version = "tarsum.dev"
)

// hashName is the only hash that tarsums are computed with here.
const hashName = "sha256"

// folder is what the version is called in a link's key.
func (v Version) folder() (name string, ok bool) {
	switch v {
	case Version0:
		return "v0", true
	case Version1:
		return "v1", true
	case VersionDev:
		return "dev", true
	}
	return "", false
}

// sum is a tarsum that was parsed.
type sum struct {
	version Version
	folder  string
	hex     string
}

func (s sum) String() string { return string(s.version) + "+" + hashName + ":" + s.hex }

// parse reads a tarsum.
func parse(tarSum string) (sum, error) {
	mechanics, digits, ok := strings.Cut(tarSum, ":")
	version, hash, ok2 := strings.Cut(mechanics, "+")
	if !ok || !ok2 || !strings.HasPrefix(version, string(Version0)) {
		return sum{}, fmt.Errorf("tarsum %q is not such as %s+%s:<hex>: %w", tarSum, Version1, hashName, ErrLayerInvalidTarsum)
	}
	s := sum{version: Version(version), hex: digits}
	if s.folder, ok = s.version.folder(); !ok || hash != hashName {
		return sum{}, fmt.Errorf("tarsum %q is none of %s, %s, %s with %s: %w", tarSum, Version0, Version1, VersionDev, hashName, ErrLayerTarSumVersionUnsupported)
	}
	if p, err := hex.DecodeString(digits); err != nil || len(p) != 32 || strings.ToLower(digits) != digits {
		return sum{}, fmt.Errorf("tarsum %q does not end in 64 hexadecimal digits: %w", tarSum, ErrLayerInvalidTarsum)
	}
	return s, nil
}
