// Command bench runs blobdock and distribution's own storage drivers side by side
// on the same emulators, and prints what each piece of work has cost.
//
//	go run . -size 1GiB -rounds 5 -stores s3 -check
//
// ../docs/bench.md tells what the rows mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	report, err := measure(ctx, o, stderr)
	if err != nil {
		return err
	}
	if err := report.text(stdout); err != nil {
		return err
	}
	for _, out := range []struct {
		path  string
		write func(Report, io.Writer) error
	}{{o.json, Report.json}, {o.markdown, Report.markdown}, {o.svg, Report.svg}} {
		if out.path != "" {
			if err := writeFile(out.path, report, out.write); err != nil {
				return err
			}
		}
	}
	err = report.failed()
	if o.check {
		err = errors.Join(err, report.check(stdout))
	}
	return err
}

func writeFile(path string, r Report, write func(Report, io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(r, f), f.Close())
}
