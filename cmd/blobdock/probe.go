package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/probe"
)

func probeCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Try out what a registry needs of a store",
		Long: `Try out what a registry needs of a store, with the credentials of this environment:
reach, each permission, uploads in parts, conditional writes, signed URLs, the clocks, and
the bucket's settings, as far as these credentials may read them.

One line each; what fails says what is missing. Objects are written below ` + probe.Folder + `/
and removed again. Exits with 1 when something fails.`,
		Example: `  blobdock probe 's3://my-bucket/registry?region=eu-west-1'
  blobdock probe --json gs://my-bucket/registry`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runProbe(cmd.Context(), cmd.OutOrStdout(), args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	return cmd
}

func runProbe(ctx context.Context, out io.Writer, storage string, asJSON bool) error {
	store, err := openStore(ctx, storage)
	if err != nil {
		return err
	}
	defer store.Close()
	failed := 0
	for r := range probe.Run(ctx, store.Bucket()) {
		if r.Status == probe.Failed {
			failed++
		}
		if asJSON {
			printJSON(out, resultJSON(r))
		} else {
			printResult(out, r)
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed > 0:
		return fmt.Errorf("probe %s: %d checks failed", redact(storage), failed)
	}
	return nil
}

func printResult(out io.Writer, r probe.Result) {
	text := r.Detail
	if r.Err != nil {
		text = r.Err.Error()
		if r.Grant != "" {
			text += "; grant " + r.Grant
		}
		if r.Detail != "" {
			text += "; " + r.Detail
		}
	}
	took := ""
	if r.Took > 0 {
		took = r.Took.Round(time.Millisecond).String()
	}
	fmt.Fprintf(out, "%-8s %-21s %6s  %s\n", r.Status, r.Check, took, text)
}

func resultJSON(r probe.Result) map[string]any {
	v := map[string]any{"check": r.Check, "status": r.Status, "took_ms": float64(r.Took.Microseconds()) / 1000}
	for name, text := range map[string]string{"detail": r.Detail, "grant": r.Grant} {
		if text != "" {
			v[name] = text
		}
	}
	if r.Err != nil {
		v["error"] = r.Err.Error()
	}
	return v
}
