package probe

import (
	"context"
	"strings"
	"time"
)

// settings are the bucket's settings, one a row. Those that the credentials may not read are
// in one row at the end.
func settings(ctx context.Context, p *run) (all []Result) {
	const name = "settings"
	if p.features.Settings == nil {
		return nil
	}
	began := time.Now()
	got, err := p.features.Settings(ctx)
	var names, grants []string
	for _, s := range got {
		switch {
		case s.Grant != "":
			names, grants = append(names, s.Name), append(grants, s.Grant)
		case s.Advice != "":
			all = append(all, Result{Check: s.Name, Status: Advised, Detail: s.Value + ": " + s.Advice})
		default:
			all = append(all, Result{Check: s.Name, Status: OK, Detail: s.Value})
		}
	}
	if len(names) > 0 {
		all = append(all, Result{
			Check: name, Status: Skipped, Grant: strings.Join(grants, " and "),
			Detail: "the registry needs no more; to have settings told (" + strings.Join(names, ", ") + "), grant " + strings.Join(grants, " and "),
		})
	}
	if err != nil {
		all = append(all, Result{Check: name, Status: Failed, Took: time.Since(began), Err: err})
	}
	return all
}
