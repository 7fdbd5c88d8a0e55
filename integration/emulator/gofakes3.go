package emulator

// gofakes3Version is what gofakes3/go.mod pins; a test compares them.
const gofakes3Version = "v1.2.0"

// gofakes3 keeps its data in memory.
func gofakes3() service {
	m := module{name: "gofakes3", path: "github.com/johannesboyne/gofakes3/cmd/gofakes3", flags: small}
	return service{
		name: "gofakes3", title: "gofakes3", version: gofakes3Version,
		build: m.build,
		args: func(addr, _ string) []string {
			return []string{"-backend", "memory", "-host", addr, "-quiet"}
		},
		ready: listsBuckets(minioS3),
	}
}
