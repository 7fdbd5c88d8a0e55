package wire

import (
	"net/url"

	"github.com/blobdock/blobdock/integration/emulator"
)

// OpenS3 is [S3] for programs: they close the proxy themselves.
func OpenS3(s emulator.S3) (emulator.S3, *Proxy, error) {
	p, err := start(s.Endpoint, protocolS3(s))
	if err != nil {
		return emulator.S3{}, nil, err
	}
	s.Endpoint = p.URL
	return s, p, nil
}

// OpenGCS is [GCS] for programs: they close the proxy themselves.
func OpenGCS(g emulator.GCS) (emulator.GCS, *Proxy, error) {
	p, err := start(g.Endpoint, protocolGCS(g))
	if err != nil {
		return emulator.GCS{}, nil, err
	}
	g.Endpoint = p.URL
	return g, p, nil
}

// OpenAzure is [Azure] for programs: they close the proxy themselves.
func OpenAzure(a emulator.Azure) (emulator.Azure, *Proxy, error) {
	behind, err := url.Parse(a.Endpoint)
	if err != nil {
		return emulator.Azure{}, nil, err
	}
	account := behind.Path
	behind.Path = ""
	p, err := start(behind.String(), protocolAzure(a, behind))
	if err != nil {
		return emulator.Azure{}, nil, err
	}
	a.Endpoint = p.URL + account
	return a, p, nil
}
