package emulator

// rcloneVersion is what rclone/go.mod pins; a test compares them.
const rcloneVersion = "v1.76.0"

// rclone serves a directory by "rclone serve s3".
func rclone() service {
	m := module{name: "rclone", path: "github.com/rclone/rclone", flags: cheap}
	return service{
		name: "rclone", title: "rclone serve s3", version: rcloneVersion,
		build: m.build,
		args: func(addr, dir string) []string {
			// Its documents advise the cache for clients that read and write at will.
			// https://rclone.org/commands/rclone_serve_s3/
			return []string{"serve", "s3", "--addr", addr, "--auth-key", minioUser + "," + minioSecret, "--vfs-cache-mode", "full", dir}
		},
		ready: listsBuckets(minioS3),
	}
}
