package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Report is all that a run has found out. Times are nanoseconds in JSON, sizes
// are bytes.
type Report struct {
	Machine   Machine         `json:"machine"`
	Blobdock  string          `json:"blobdock"` // commit
	Stock     string          `json:"stock"`    // version of distribution
	Size      int64           `json:"size"`     // of a large blob
	Rounds    int             `json:"rounds"`
	Latencies []time.Duration `json:"latencies"`
	Rows      []*Row          `json:"rows"`
}

// Row is one registry's part of one scenario on one store.
type Row struct {
	Store    string   `json:"store"`
	Title    string   `json:"title"` // of the store
	Scenario string   `json:"scenario"`
	About    string   `json:"about"`
	Registry registry `json:"registry"`
	// NotRun is why there are no numbers; "" when there are.
	NotRun string `json:"not_run,omitempty"`
	// Counts is nil for what has no requests to count.
	Counts *Counts `json:"counts,omitempty"`
	Runs   []Run   `json:"runs,omitempty"` // one for each latency
}

// Counts is what went to the store and back for one sample.
type Counts struct {
	Requests int            `json:"requests"`
	Ops      map[string]int `json:"ops"`
	Up       int64          `json:"up"`
	Down     int64          `json:"down"`
	Copied   int64          `json:"copied"` // by the store
}

// Run is the samples at one latency.
type Run struct {
	Latency time.Duration `json:"latency"`
	Samples []Sample      `json:"samples"`
}

// Sample is what one execution has cost. CPU and memory are those of the registry,
// or of the reference program.
type Sample struct {
	Wall   time.Duration `json:"wall"`
	CPU    time.Duration `json:"cpu"`
	Peak   int64         `json:"peak_rss"`
	Growth int64         `json:"growth"` // of the resident set, from before to its peak
}

// Median is that of each number by itself.
func (r Run) Median() Sample {
	var walls, cpus []time.Duration
	var peaks, growths []int64
	for _, s := range r.Samples {
		walls, cpus = append(walls, s.Wall), append(cpus, s.CPU)
		peaks, growths = append(peaks, s.Peak), append(growths, s.Growth)
	}
	return Sample{median(walls), median(cpus), median(peaks), median(growths)}
}

// at is the median at a latency; false where there is none.
func (r *Row) at(latency time.Duration) (Sample, bool) {
	if r == nil || r.NotRun != "" {
		return Sample{}, false
	}
	for _, run := range r.Runs {
		if run.Latency == latency && len(run.Samples) > 0 {
			return run.Median(), true
		}
	}
	return Sample{}, false
}

// run is where the samples of a latency go.
func (r *Row) run(latency time.Duration) *Run {
	for i := range r.Runs {
		if r.Runs[i].Latency == latency {
			return &r.Runs[i]
		}
	}
	r.Runs = append(r.Runs, Run{Latency: latency})
	return &r.Runs[len(r.Runs)-1]
}

// row finds a row; nil when there is none.
func (r Report) row(store, scenario string, by registry) *Row {
	for _, row := range r.Rows {
		if row.Store == store && row.Scenario == scenario && row.Registry == by {
			return row
		}
	}
	return nil
}

// failed is what went wrong, but for what distribution's drivers can't do.
func (r Report) failed() error {
	var errs []error
	for _, row := range r.Rows {
		if row.NotRun != "" && row.Registry != stock {
			errs = append(errs, fmt.Errorf("%s %s: %s: %s", row.Store, row.Scenario, row.Registry, row.NotRun))
		}
	}
	return errors.Join(errs...)
}

func (r Report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(r)
}
