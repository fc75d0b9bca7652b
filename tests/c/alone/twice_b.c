#include <heartline.h>

int twice_b(const heartline_event *event);

int twice_b(const heartline_event *event)
{
    heartline_policy policy;
    HEARTLINE_INIT(policy);
    return heartline_policy_parse("im", &policy, sizeof policy, (char *)0, 0) == 0 ? event->kind : -1;
}
