package emulator

// versitygwVersion is what versitygw/go.mod pins; a test compares them.
const versitygwVersion = "v1.8.0"

// versitygw keeps objects as files, and what S3 has beside their bytes in
// extended attributes.
func versitygw() service {
	m := module{name: "versitygw", path: "github.com/versity/versitygw/cmd/versitygw", flags: small}
	return service{
		name: "versitygw", title: "versitygw", version: versitygwVersion,
		build: m.build,
		args: func(addr, dir string) []string {
			return []string{"--port", addr, "--access", minioUser, "--secret", minioSecret, "posix", dir}
		},
		ready: listsBuckets(minioS3),
	}
}
