// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/headroom-dev/headroom/hack/bench/review"
)

// vegetaAttack sends the same bodies by vegeta's own client. It says whether our generator is to be believed.
func vegetaAttack(ctx context.Context, p Plan, bodies *review.Bodies) (*tally, error) {
	config, err := p.Target.tls()
	if err != nil {
		return nil, err
	}
	attacker := vegeta.NewAttacker(
		vegeta.TLSConfig(config), vegeta.HTTP2(false), vegeta.KeepAlive(true), vegeta.Connections(idleConnections),
		vegeta.Timeout(answerTimeout), vegeta.MaxWorkers(maxInFlight),
	)
	var number atomic.Uint64
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, */*"}}
	targeter := func(t *vegeta.Target) error {
		t.Method, t.URL, t.Header = http.MethodPost, p.Target.URL+"?timeout="+webhookTimeout, header
		t.Body = bodies.Append(nil, number.Add(1))
		return nil
	}
	rate := vegeta.Rate{Freq: int(p.Rate), Per: time.Second}
	t := &tally{}
	for result := range attacker.Attack(targeter, rate, p.Duration, "reviews") {
		var problem error
		if result.Error != "" {
			problem = errors.New(result.Error)
		}
		t.add(result.Latency, problem)
		if ctx.Err() != nil {
			attacker.Stop()
		}
	}
	return t, nil
}
