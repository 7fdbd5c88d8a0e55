package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// sampleReport has one scenario that both do, one that stock can't do, and a limit.
func sampleReport() Report {
	runs := func(wall time.Duration, cpu time.Duration) []Run {
		return []Run{
			{0, []Sample{{wall, cpu, 64 * mib, mib}}},
			{far, []Sample{{10 * wall, cpu, 64 * mib, mib}}},
		}
	}
	row := func(scenario string, by registry, requests int, wall time.Duration) *Row {
		return &Row{
			Store: "s3", Title: "S3 <MinIO>", Scenario: scenario, About: "a|b", Registry: by,
			Counts: &Counts{Requests: requests, Up: 10 * mib}, Runs: runs(wall, wall/2),
		}
	}
	r := Report{Size: gib, Rounds: 5, Latencies: []time.Duration{0, far}, Rows: []*Row{
		row("push-mono", stock, 20, 2*time.Second), row("push-mono", blobdock, 5, time.Second),
		{Store: "s3", Title: "S3 <MinIO>", Scenario: "pull-redirect", Registry: stock, NotRun: "its reason"}, row("pull-redirect", blobdock, 3, time.Millisecond),
		row("limit-upload", limit, 1, 500*time.Millisecond),
	}}
	return r
}

func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var s strings.Builder
	if err := write(&s); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

func TestText(t *testing.T) {
	got := written(t, sampleReport().text)
	_, table, _ := strings.Cut(got, "\n")
	const want = `
S3 <MinIO>
            requests      up  down  copied  time +0  time +20ms     CPU  peak RSS
push-mono: a|b
     stock        20  10 MiB     0       0   2.00 s      20.0 s  1.00 s    64 MiB
  blobdock         5  10 MiB     0       0   1.00 s      10.0 s  500 ms    64 MiB
     ratio      0.25    1.00     -       -     0.50        0.50    0.50      1.00
pull-redirect: 
     stock  not run: its reason
  blobdock         3  10 MiB     0       0   1.0 ms       10 ms  0.5 ms    64 MiB
     ratio         -       -     -       -        -           -       -         -
limit-upload: a|b
     limit         1  10 MiB     0       0   500 ms      5.00 s  250 ms    64 MiB
`
	if table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestMarkdown(t *testing.T) {
	got := written(t, sampleReport().markdown)
	for _, want := range []string{
		"### S3 <MinIO>\n\n| | requests | up |",
		`| **push-mono** a\|b | 20 → 5 (0.25) | 10 MiB → 10 MiB (1.00) | 0 → 0 |`,
		"stock not run: its reason | - → 3 |",
		`| **limit-upload** a\|b | 1 |`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

func TestSVG(t *testing.T) {
	got := written(t, sampleReport().svg)
	d := xml.NewDecoder(strings.NewReader(got))
	bars := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, got)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			for _, a := range e.Attr {
				if a.Name.Local == "width" && a.Value == "230" { // half of stock's time
					bars++
				}
			}
		}
	}
	if bars != 2 {
		t.Errorf("%d bars for 0.50, want one for each latency", bars)
	}
	for _, want := range []string{">0.50<", ">not run<", "S3 &lt;MinIO&gt;"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

func TestBarLength(t *testing.T) {
	for ratio, want := range map[float64]int{0: 0, 0.5: 230, 1: 460, 100: 550} {
		if got := barLength(ratio); got != want {
			t.Errorf("%v: %d, want %d", ratio, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	var s strings.Builder
	err := sampleReport().check(&s)
	if err == nil || err.Error() != "2 targets missed" {
		t.Errorf("err = %v, want 2 targets missed", err)
	}
	for _, want := range []string{
		"[!]  push-mono takes at most 1.25 of what limit-upload takes: 2.00, missed\n",
		"[x]  push-mono takes at most half of stock's time: 0.50\n",
		"[!]  push-mono takes at most 1.3 of limit-upload's CPU time: 2.00, missed\n",
		"[ ]  push-chunked takes at most a tenth of stock's time: not measured\n",
	} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("lacks %q:\n%s", want, s.String())
		}
	}
}

// TestFailed counts what blobdock can't do as a failure, and only that.
func TestFailed(t *testing.T) {
	r := sampleReport()
	if err := r.failed(); err != nil {
		t.Errorf("stock alone: %v", err)
	}
	r.row("s3", "push-mono", blobdock).NotRun = "broken"
	if err := r.failed(); err == nil || !strings.Contains(err.Error(), "push-mono: blobdock: broken") {
		t.Errorf("err = %v", err)
	}
}
