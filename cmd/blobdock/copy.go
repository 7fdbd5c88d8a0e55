package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
	"github.com/blobdock/blobdock/transfer"
)

type copyFlags struct {
	repositories, tags             []string
	keepTags, verify, dryRun, json bool
	concurrency                    int
}

func copyCommand() *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "copy SRC DST",
		Short: "Copy a registry to another store",
		Long: `Copy a registry, or some of it, from one store to another: blobs first, then what links
to them, and tags last, so that the destination can be served at any moment. Every
digest is compared. What is there already is skipped, so an interrupted copy goes on
when it is run again. Nothing is deleted, and uploads under way are not copied.

Prints what an operator should know of, and a summary. Exits with 1 when something is
not copied that should have been.`,
		Example: `  blobdock copy 's3://old-bucket/registry?region=eu-west-1' gs://new-bucket/registry
  blobdock copy --repository 'team/**' 's3://b?aws_profile=old' 's3://b2?aws_profile=new'
  blobdock copy --repository team/app --tag 'v1.*' gs://my-bucket 'azblob://my-container?account=a'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args[0], args[1]); err != nil {
				return err
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return runCopy(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], args[1], f)
		},
	}
	cmd.Flags().StringArrayVar(&f.repositories, "repository", nil, "only this `repository`, or those of a pattern: team/app, team/*, team/**; may be given again")
	cmd.Flags().StringArrayVar(&f.tags, "tag", nil, "only this `tag` of these repositories, or those of a pattern, with all that it needs and its signatures; may be given again")
	cmd.Flags().BoolVar(&f.keepTags, "keep-tags", false, "leave tags as they are that are another manifest in DST")
	cmd.Flags().BoolVar(&f.verify, "verify", false, "read the blobs that are in DST already, and replace those that are wrong")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", transfer.DefaultConcurrency, "blobs or links copied at the same time")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be copied")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON object a line")
	return cmd
}

// maxConcurrency is more than a store gains from.
const maxConcurrency = 1024

func (f copyFlags) check(cmd *cobra.Command, src, dst string) error {
	switch {
	case f.concurrency < 1 || f.concurrency > maxConcurrency:
		return fmt.Errorf("--concurrency %d: want 1 to %d", f.concurrency, maxConcurrency)
	case cmd.Flags().Changed("tag") && !cmd.Flags().Changed("repository"):
		return errors.New("--tag: want --repository with it")
	case place(src) == place(dst):
		return fmt.Errorf("SRC and DST are both %s", redact(src))
	}
	return nil
}

// place is the part of a store's URL that says where the store is.
func place(storage string) string {
	u, err := driver.ParseURL(storage)
	if err != nil || u.Fragment != "" {
		return storage // which no store is opened by
	}
	q := u.Query()
	where := path.Join("/", u.Path)
	if u.Scheme == azureScheme && strings.HasPrefix(u.Path, "//") {
		where = "/" + where // keys that begin with a slash are others
	}
	if abs, err := filepath.Abs(u.Host + u.Path); err == nil && u.Scheme == "file" {
		return abs
	}
	return strings.Join([]string{u.Scheme, u.Host, where, q.Get("endpoint"), q.Get("account"), q.Get("realm")}, " ")
}

// interruptible is ctx until the process is asked to end. Asked once more, it does
// so at once.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func runCopy(ctx context.Context, out, terminal io.Writer, from, to string, f copyFlags) error {
	src, err := openStore(ctx, from)
	if err != nil {
		return fmt.Errorf("SRC: %w", err)
	}
	defer src.Close()
	config, err := blobdock.ParseConfig(map[string]any{"url": to})
	if err != nil {
		return fmt.Errorf("DST: %w", err)
	}
	dst, err := openRecognised(ctx, config)
	if err != nil {
		return fmt.Errorf("DST: %w", err)
	}
	defer dst.Close()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(config.Options.MemoryBudget + overhead)
	}

	o := transfer.Options{
		Repositories: f.repositories, Tags: f.tags, KeepTags: f.keepTags,
		Verify: f.verify, DryRun: f.dryRun, Concurrency: f.concurrency,
	}
	var b *bar
	if !f.dryRun && !f.json {
		b = newBar(terminal, "copy", true)
		o.Progress = b.at
	}
	o.Problem = func(p transfer.Problem) {
		if f.json {
			printJSON(out, problemJSON(p))
			return
		}
		b.clear()
		printProblem(out, p)
	}
	began := time.Now()
	sum, err := transfer.Copy(ctx, src, dst, o)
	b.close()
	took := time.Since(began)
	if f.json {
		printJSON(out, summaryJSON(sum, took, f.dryRun, err == nil))
	} else {
		printSummary(out, sum, took, f.dryRun)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = errors.New("interrupted; run it again to go on")
	case errors.Is(err, transfer.ErrEmpty):
		if hint := olderLayout(ctx, from); hint != "" {
			err = fmt.Errorf("%w: %s", err, hint)
		}
	case errors.Is(err, transfer.ErrIncomplete):
		err = fmt.Errorf("%w: %d problems", err, sum.Incomplete)
	}
	return fmt.Errorf("copy %s to %s: %w", redact(from), redact(to), err)
}

func printProblem(out io.Writer, p transfer.Problem) {
	text := p.Key
	if p.Err != nil {
		text += ": " + p.Err.Error()
	}
	fmt.Fprintf(out, "%-8s %s\n", p.Kind, text)
}

func problemJSON(p transfer.Problem) map[string]any {
	v := map[string]any{"problem": p.Kind, "key": p.Key, "incomplete": p.Kind.Incomplete()}
	if p.Err != nil {
		v["detail"] = p.Err.Error()
	}
	return v
}

func printSummary(out io.Writer, s transfer.Summary, took time.Duration, dry bool) {
	what := "copied"
	if dry {
		what = "would be copied"
	}
	fmt.Fprintf(out, "%d blobs (%s), %d links and %d tags %s; %d blobs (%s), %d links and %d tags were there",
		s.Blobs, size(s.Bytes), s.Links, s.Tags, what, s.BlobsThere, size(s.BytesThere), s.LinksThere, s.TagsThere)
	if s.LeftOut > 0 {
		fmt.Fprintf(out, "; %d links and tags left out", s.LeftOut)
	}
	rate := ""
	if !dry && s.Bytes > 0 {
		rate = fmt.Sprintf(", %.1f MB/s", float64(s.Bytes)/1e6/took.Seconds())
	}
	fmt.Fprintf(out, " (%s%s)\n", took.Round(time.Millisecond), rate)
}

// size is n in words: with a unit of which there is at least one.
func size(n int64) string {
	f, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for f >= 1024 && len(units) > 1 {
		f, units = f/1024, units[1:]
	}
	if units[0] == "B" {
		return driver.FormatBytes(n)
	}
	return fmt.Sprintf("%.1f %s", f, units[0])
}

func summaryJSON(s transfer.Summary, took time.Duration, dry, complete bool) map[string]any {
	return map[string]any{
		"blobs": s.Blobs, "bytes": s.Bytes, "blobs_there": s.BlobsThere, "bytes_there": s.BytesThere,
		"links": s.Links, "links_there": s.LinksThere, "tags": s.Tags, "tags_there": s.TagsThere,
		"left_out": s.LeftOut, "incomplete": s.Incomplete, "remarks": s.Remarks,
		"took_ms": took.Milliseconds(), "dryrun": dry, "complete": complete,
	}
}
