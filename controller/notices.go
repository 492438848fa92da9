// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"github.com/headroom-dev/headroom/verdict"
)

const (
	// maxNotices is how many notices may wait, each about something else.
	maxNotices = 1024
	// noticesRemembered is of how many things it is known that they were said.
	noticesRemembered = 8192
	// noticeInterval is when the same thing is said again. It must be well below the hour that API servers keep Events for by
	// default (kube-apiserver --event-ttl): while there is an Event, another one of its name is none, so that there is one an
	// hour; what is said as rarely as it ends would leave gaps of up to an hour.
	noticeInterval = 15 * time.Minute
	// noticesPerSecond and noticeBurst are for workloads, not for pods, and so enough for a cluster that is restarted.
	noticesPerSecond, noticeBurst = 10, 100
)

// Notice is what admission said about an object.
type Notice struct {
	// About is the object. Its UID is what it is admitted with; a refused one never comes to be.
	About corev1.ObjectReference
	// Controller is what made the object; nil for nobody.
	Controller *metav1.OwnerReference
	// Exists is set where the request was not the object's creation.
	Exists bool
	// Debugged is set where the request puts ephemeral containers into a pod.
	Debugged bool
	// Refused is set for a refusal; a warning otherwise.
	Refused bool
	Verdict verdict.Verdict
	// Images is equal for objects that pull the same images.
	Images string
	// Message is the sentence.
	Message string

	// at is when it came.
	at time.Time
}

// NoticesOptions are what Notices work with. Metadata and Events are needed.
type NoticesOptions struct {
	// Metadata reads who made ReplicaSets and Jobs. It needs get on both.
	Metadata metadata.Interface
	// Events takes what the owners are told.
	Events EventSink
	// Metrics counts; nil for nobody.
	Metrics *NoticeMetrics
	Log     logr.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Notices repeats what admission said where people look who never see the answer to a request, such as those whose manifests
// are applied by a controller: as an Event on the workload at the top, once for all its pods, and as a line in the log.
//
// The Event's name is made from the owner, from whether it is about a refusal, from the verdict, and from the images, and
// not from the sentence, whose figures change from pod to pod: that is what makes one Event of forty pods and of several
// replicas of Headroom, and another one of the next image.
type Notices struct {
	options NoticesOptions
	owners  *owners
	wake    chan struct{}
	budget  *rate.Limiter
	told    *recent[topic, time.Time] // by the top owner; only Start's goroutine uses it

	mu    sync.Mutex                // guards the rest; held for looks at maps, as the request path waits for it
	heard *recent[topic, time.Time] // by the direct owner
	queue *noticeQueue
}

// topic is what a notice is about: notices of one topic say the same thing. The namespace is in it because whoever may create
// pods in one can name an owner of another.
type topic struct {
	namespace, owner string
	refused          bool
	verdict          verdict.Verdict
	images           string
}

func topicOf(n *Notice, owner string) topic {
	return topic{n.About.Namespace, owner, n.Refused, n.Verdict, n.Images}
}

// NewNotices returns one that tells nobody before Start.
func NewNotices(o NoticesOptions) *Notices {
	if o.Metrics == nil {
		o.Metrics = NewNoticeMetrics(nil)
	}
	if o.Now == nil {
		o.Now = wallClock
	}
	return &Notices{
		options: o, owners: newOwners(o.Metadata, o.Now, o.Log),
		queue: newNoticeQueue(maxNotices), wake: make(chan struct{}, 1), budget: rate.NewLimiter(noticesPerSecond, noticeBurst),
		told: newRecent[topic, time.Time](noticesRemembered, nil), heard: newRecent[topic, time.Time](noticesRemembered, nil),
	}
}

// Take has a notice repeated in the background. It never blocks: what was said a short while ago, and what the queue has no
// room for, is counted and forgotten. Nothing is kept of a controller that can't be an object: the notice is then about the
// object that names it.
func (n *Notices) Take(notice Notice) {
	if !plausibleReference(&notice.About) {
		n.options.Metrics.count(&notice, noticeDropped)
		return
	}
	notice.Controller = plausibleOwner(notice.Controller)
	about := topicOf(&notice, directOwner(&notice))
	notice.at = n.options.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if lately(n.heard, about, notice.at) {
		n.options.Metrics.count(&notice, noticeRepeated)
		return
	}
	taken, dropped := n.queue.put(notice)
	if !taken {
		n.options.Metrics.count(&notice, noticeDropped)
		return
	}
	n.heard.set(about, notice.at)
	if dropped != nil {
		n.heard.remove(topicOf(dropped, directOwner(dropped)))
		n.options.Metrics.count(dropped, noticeDropped)
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Start tells owners until ctx ends.
func (n *Notices) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		}
		// Only the end of ctx keeps it from waiting for the budget. Whose turn it is, is known after that.
		for n.waiting() && n.budget.Wait(ctx) == nil {
			n.tell(ctx, new(n.next()))
		}
	}
}

func (n *Notices) waiting() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.queue.len() > 0
}

func (n *Notices) next() Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.queue.next()
}

// tell finds the owner, and tells it what it has not been told yet.
func (n *Notices) tell(ctx context.Context, notice *Notice) {
	owner, found := n.owners.of(ctx, notice)
	about := topicOf(notice, string(owner.UID))
	if !found {
		about.owner = nameOf(&owner)
	}
	if lately(n.told, about, notice.at) {
		n.options.Metrics.count(notice, noticeRepeated)
		return
	}
	n.told.set(about, notice.at)
	n.log(notice, &owner)
	if !found {
		n.options.Metrics.count(notice, noticeLogged)
		return
	}
	n.options.Metrics.count(notice, noticeRecorded)
	reason := noticeReason(notice.Refused)
	n.options.Events.Record(Event{
		About: owner, Warning: true, Reason: reason, Message: notice.Message,
		Key: strings.Join([]string{reason, string(notice.Verdict), notice.Images}, " "), At: notice.at,
	})
}

// log is at the level of what an admin wants to find: it is as rare as the Event.
func (n *Notices) log(notice *Notice, owner *corev1.ObjectReference) {
	said := "Warned about image storage"
	if notice.Refused {
		said = "Refused over image storage"
	}
	n.options.Log.Info(said, "owner", owner.Kind, "namespace", owner.Namespace, "name", owner.Name,
		"object", notice.About.Kind, "verdict", notice.Verdict, "message", notice.Message)
}

func lately(said *recent[topic, time.Time], about topic, now time.Time) bool {
	at, known := said.get(about)
	return known && now.Sub(at) < noticeInterval
}

// noticeReason is the Event's reason, stable for machines.
func noticeReason(refused bool) string {
	if refused {
		return "ImageStorageRefused"
	}
	return "ImageStorageWarning"
}
