package emulator

import "context"

// service is all that differs between one emulator and the next. How to start,
// await, stop and clean up is the same for each.
type service struct {
	name    string // in folders, labels and image names: "minio"
	title   string // in messages: "MinIO"
	version string

	// build returns a program for the platform, made once and then cached.
	build func(ctx context.Context, p platform) (program, error)

	// dockerfile packs the program, which lies beside it under its own name.
	dockerfile string
	// context is for images made of other things than the program: their key, and
	// what fills the folder that the image is built from. nil is the program.
	context func(ctx context.Context) (key string, fill func(dir string) error, err error)
	port    int // inside the container

	// args are the program's arguments, to listen on addr and keep data in dir.
	args func(addr, dir string) []string
	env  []string
	// assemble is for services of several processes or ports: it starts them.
	// nil is the program with args.
	assemble func(ctx context.Context, e *ensemble) error

	// ready is nil once the server at endpoint does real work.
	ready func(ctx context.Context, endpoint string) error
}

// program is a built emulator.
type program struct {
	path string
	key  string // changes whenever the program does; short enough for an image tag
}

// platform is what a program is built for: a container wants linux, whatever
// the host is.
type platform struct{ os, arch string }
