package emulator

import "context"

// LaunchS3 is [Start] for programs: they end the server by stop.
func LaunchS3(ctx context.Context) (s S3, stop func() error, err error) {
	return launched(findS3(ctx))
}

// LaunchGCS is [StartGCS] for programs: they end the server by stop.
func LaunchGCS(ctx context.Context) (g GCS, stop func() error, err error) {
	return launched(findGCS(ctx))
}

// LaunchAzure is [StartAzure] for programs: they end the server by stop.
func LaunchAzure(ctx context.Context) (a Azure, stop func() error, err error) {
	return launched(findAzure(ctx))
}

// launched adds how to end a server. One that the environment names goes on.
func launched[S any](at S, s *server, err error) (S, func() error, error) {
	if s == nil {
		return at, func() error { return nil }, err
	}
	return at, s.close, err
}
